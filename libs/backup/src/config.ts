import { Type } from '@sinclair/typebox';

/** For the `config.ts` of who puts signals there and of who takes them back: both must name the same broker. */
export const backupVariables = {
  RABBITMQ_URL: Type.String({
    default: '',
    secret: true,
    pattern: '^(amqps?://\\S+)?$',
    format: 'urls',
    description: 'RabbitMQ, which takes signals while NATS cannot; empty: no backup',
  }),
  RABBITMQ_CA_FILE: Type.String({
    default: '',
    description:
      'certificates that RabbitMQ is verified with (PEM), for `amqps://`; empty: those of the system',
  }),
};
