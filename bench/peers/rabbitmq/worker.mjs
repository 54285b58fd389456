import amqp from 'amqplib';
import { endWithParent, handle } from '../http.mjs';

// https://www.rabbitmq.com/docs/consumer-prefetch: 64 unacknowledged messages at most, like the slots of the fleet's
// worker. https://www.rabbitmq.com/docs/confirms: a message is acknowledged when its work is done.
const [url, slots] = process.argv.slice(2);

endWithParent();
const connection = await amqp.connect(url, { noDelay: true });
const channel = await connection.createChannel();
await channel.assertQueue('signals', { durable: true });
await channel.prefetch(Number(slots));
await channel.consume('signals', (message) => {
  if (!message) throw new Error('the broker has cancelled the consumer');
  const { correlationId, replyTo } = message.properties;
  JSON.parse(message.content.toString());
  channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(handle())), { correlationId });
  channel.ack(message);
});
