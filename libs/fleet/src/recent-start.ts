import { type Bus, messageAt } from '@tps/bus';

/** About 235,000 outcomes, which one core reads in 1 s. At any higher rate a start takes no longer. */
const RECENT_BYTES = 128 * 1024 ** 2;

/** The size of the log and its newest message. */
interface LogSize {
  bytes: number;
  messages: number;
  first_seq: number;
  last_seq: number;
}

/**
 * Finds the message that begins the last `maxBytes` of the log, by the mean size of its messages.
 *
 * @returns undefined if that message is older than `sinceMs`, so that the time alone decides where to begin
 */
export async function recentStart(
  bus: Bus,
  { bytes, messages, first_seq, last_seq }: LogSize,
  { sinceMs, maxBytes = RECENT_BYTES }: { sinceMs?: number; maxBytes?: number },
): Promise<number | undefined> {
  if (sinceMs === undefined || bytes <= maxBytes) return undefined;
  const seq = last_seq - Math.ceil(maxBytes / (bytes / messages));
  if (seq < first_seq) return undefined;
  const message = await messageAt(bus, bus.names.streams.outcomes, seq);
  return message && message.time.getTime() > Date.now() - sinceMs ? seq : undefined;
}
