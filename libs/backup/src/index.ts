export { backupVariables } from './config';
export type { ConfirmChannel, ConsumeMessage } from 'amqplib';
export { BackupLink } from './link';
