import amqp from 'amqplib';
import { endWithParent, serve, TIMEOUT_MS } from '../http.mjs';

// https://www.rabbitmq.com/docs/direct-reply-to: replies come to the pseudo-queue on the channel that sent the request.
// https://www.rabbitmq.com/docs/confirms: a persistent message is safe when the broker has confirmed it.
const REPLIES = 'amq.rabbitmq.reply-to';
const [url, httpPort] = process.argv.slice(2);

endWithParent();
const connection = await amqp.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.assertQueue('signals', { durable: true });

const waiting = new Map();
await channel.consume(
  REPLIES,
  (message) => waiting.get(message?.properties.correlationId)?.(JSON.parse(message.content.toString())),
  { noAck: true },
);

function reply(id) {
  return new Promise((resolve, reject) => {
    const settle = (finish) => (value) => {
      clearTimeout(timer);
      waiting.delete(id);
      finish(value);
    };
    const timer = setTimeout(settle(reject), TIMEOUT_MS, new Error('no reply in time'));
    waiting.set(id, settle(resolve));
  });
}

function publish(work) {
  const options = { persistent: true, correlationId: work.id, replyTo: REPLIES };
  return new Promise((confirmed, refused) => {
    channel.sendToQueue('signals', Buffer.from(JSON.stringify(work)), options, (error) =>
      error ? refused(error) : confirmed(),
    );
  });
}

serve(httpPort, async (work) => {
  const [result] = await Promise.all([reply(work.id), publish(work)]);
  return result;
});
