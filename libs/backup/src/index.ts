export { backupVariables } from './config';
export type { ConfirmChannel, ConsumeMessage } from 'amqplib';
export { BackupConnection } from './connection';
