import { Type } from '@sinclair/typebox';

/** Variables of the gateway, which publishes to the backup, and of kanban, which drains it: both must name the same broker. */
export const backupVariables = {
  RABBITMQ_URL: Type.String({
    default: '',
    secret: true,
    pattern: '^(amqps?://\\S+)?$',
    format: 'urls',
    form: 'a URL with `amqp://` or `amqps://`',
    examples: ['amqp://user:password@rabbitmq:5672/'],
    description: 'address of RabbitMQ, which accepts signals while NATS cannot; empty disables the backup',
  }),
  RABBITMQ_CA_FILE: Type.String({
    default: '',
    description:
      'CA certificates (PEM) to verify RabbitMQ with, for `amqps://`; empty uses the certificates of the system',
  }),
};
