import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Bus, Follower, type LogMessage, managerOf } from '@tps/bus';
import { parseAndonEvent } from '@tps/contracts';
import type { Logger } from '@tps/telemetry';
import type { Boards } from '../fleet/boards';
import { ApiError, header } from '../problem';
import { publicEvent } from './calls';

/** Each follows the stream with a consumer of its own. */
const MAX_CLIENTS = 100;
/** A client that reads slower than this much is not there any more. */
const MAX_UNSENT_BYTES = 1024 * 1024;
const BOARD_EVERY_MS = 2_000;
/** After something happened the board is sent soon, once for all that happens together, and not all the time. */
const BOARD_SOON_MS = 100;
const BOARD_GAP_MS = 500;
const BOARD_LIMIT_MS = 1_000;
const RECONNECT_MS = 2_000;

interface Client {
  res: ServerResponse;
  follower: Follower;
}

/**
 * Server-sent events: `andon` for every item of the history, with its place in the stream as id, and `board` with the
 * board every two seconds and soon after every item. A client that reconnects with `Last-Event-ID` misses nothing.
 */
export class AndonEvents {
  private readonly clients = new Set<Client>();
  /** Includes clients whose start position is still being looked up. */
  private taken = 0;
  private timer: NodeJS.Timeout | null = null;
  private asking = false;
  /** When the board is sent next, and when it was sent last. */
  private dueMs = Infinity;
  private sentMs = 0;

  constructor(
    private readonly bus: Bus,
    private readonly boards: Boards,
    private readonly log: Logger,
  ) {}

  /**
   * Serves one client until it leaves.
   * @param after its last event, if it knows one
   * @throws ApiError
   */
  async serve(req: IncomingMessage, res: ServerResponse, after?: number): Promise<void> {
    if (res.destroyed) return;
    if (this.taken >= MAX_CLIENTS) {
      throw new ApiError('UNAVAILABLE', `${MAX_CLIENTS} clients follow the events of this gateway already.`);
    }
    // Reserved before the first await: other clients arrive while this one waits.
    this.taken += 1;
    res.once('close', () => (this.taken -= 1));
    const fromSeq = (await this.lastSeen(req, after)) + 1;
    if (res.destroyed) return;
    res.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    if (req.method === 'HEAD') return void res.end();
    res.write(`retry: ${RECONNECT_MS}\n\n`);
    const follower = new Follower(this.bus, {
      stream: this.bus.names.streams.andon,
      fromSeq,
      gatherMs: 0,
      onMessage: (message) => this.pass(client, message),
      onError: (error) => this.log.warn('following the andon log', { error }),
    });
    const client: Client = { res, follower };
    this.clients.add(client);
    res.once('close', () => this.drop(client));
    this.sendBoardBy(Date.now());
  }

  /** Ends all streams: the clients reconnect elsewhere. */
  close(): void {
    for (const { res } of this.clients) res.end();
    if (this.timer) clearTimeout(this.timer);
  }

  private async lastSeen(req: IncomingMessage, after: number | undefined): Promise<number> {
    const id = header(req, 'last-event-id');
    if (id !== undefined) return eventId(id);
    if (after !== undefined) return after;
    try {
      const jsm = await managerOf(this.bus);
      return (await jsm.streams.info(this.bus.names.streams.andon)).state.last_seq;
    } catch {
      throw new ApiError('UNAVAILABLE', 'The log of the andon is not there.');
    }
  }

  private pass(client: Client, { seq, msg }: LogMessage): void {
    const event = JSON.stringify(publicEvent(parseAndonEvent(msg, `event ${seq}`)));
    this.send(client, `id: ${seq}\nevent: andon\ndata: ${event}\n\n`);
    this.sendBoardBy(Math.max(Date.now() + BOARD_SOON_MS, this.sentMs + BOARD_GAP_MS));
  }

  private send({ res }: Client, text: string): void {
    if (res.writableLength > MAX_UNSENT_BYTES) res.destroy();
    else if (!res.writableEnded) res.write(text);
  }

  private drop(client: Client): void {
    this.clients.delete(client);
    void client.follower.stop();
  }

  /** Never later than it is due already, so that a steady flow of events does not put it off for ever. */
  private sendBoardBy(dueMs: number): void {
    this.dueMs = Math.min(this.dueMs, dueMs);
    if (this.asking) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.sendBoard(), this.dueMs - Date.now()).unref();
  }

  /** One question to andon for all clients, and none while there is no client. */
  private async sendBoard(): Promise<void> {
    this.timer = null;
    this.dueMs = Infinity;
    if (this.clients.size === 0) return;
    this.asking = true;
    // Silence tells the clients that what they show is stale.
    const board = await this.boards.ask('andon', BOARD_LIMIT_MS).catch(() => null);
    this.asking = false;
    this.sentMs = Date.now();
    const text = board ? `event: board\ndata: ${JSON.stringify(board)}\n\n` : ': andon does not answer\n\n';
    for (const client of this.clients) this.send(client, text);
    // An event that came while andon was asked may not be in its answer, and has made the board due already.
    this.sendBoardBy(this.sentMs + BOARD_EVERY_MS);
  }
}

/** A malformed id must not start the stream at its end: the client would miss events and not know. */
function eventId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const message = `Last-Event-ID: ${text.slice(0, 100)} is not allowed: must be the id of an event, a whole number.`;
  throw new ApiError('INVALID_REQUEST', message);
}
