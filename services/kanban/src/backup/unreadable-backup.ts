import type { ConsumeMessage } from '@tps/backup';
import { type Bus, encodeHeaders } from '@tps/bus';
import { DEAD_LETTER_HEADERS, type UnreadableDeadLetter, WIRE_VERSION } from '@tps/contracts';
import { idOf } from './backup-message';

const MAX_KEPT_BYTES = 128 * 1024;
/** The subject token of such dead letters, because their type is unknown. */
const UNREADABLE_TYPE = 'backup';

/** Keeps a message of the backup that no worker can run as a dead letter. @throws PublishError */
export async function keepAsDeadLetter(bus: Bus, message: ConsumeMessage, reason: string): Promise<void> {
  const { content, properties, fields } = message;
  const body: UnreadableDeadLetter = {
    v: WIRE_VERSION,
    invalid: true,
    subject: `amqp:${bus.names.queues.backup}`,
    reason,
    data: content.subarray(0, MAX_KEPT_BYTES).toString('base64'),
  };
  const headers = encodeHeaders([
    ['Nats-Msg-Id', `dead:${fields.consumerTag}:${fields.deliveryTag}`],
    [DEAD_LETTER_HEADERS.id, idOf(properties.messageId)],
    [DEAD_LETTER_HEADERS.status, 'invalid'],
  ]);
  const subject = bus.names.subjects.dead(UNREADABLE_TYPE);
  await bus.publisher.publish(subject, JSON.stringify(body), { headers });
}
