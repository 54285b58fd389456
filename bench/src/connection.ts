import { connect, type Socket } from 'node:net';
import { type Answer, readAnswer } from './http-answer';

/** Called once per request, with null when the connection failed or the answer came too late. */
export type OnAnswer = (answer: Answer | null) => void;

/** Servers close idle connections (Node after 5 s); a request sent at that moment would be lost. */
const STALE_MS = 3_000;

/**
 * A keep-alive connection to a server on this machine, with one request at a time. It opens with the first request, and
 * again after the server has closed it.
 */
export class Connection {
  private socket: Socket | null = null;
  private arrived: Buffer | null = null;
  private onAnswer: OnAnswer | null = null;
  private usedAt = 0;

  constructor(private readonly port: number) {}

  send(request: Buffer, onAnswer: OnAnswer): void {
    const now = performance.now();
    if (now - this.usedAt > STALE_MS) this.close();
    this.usedAt = now;
    this.onAnswer = onAnswer;
    this.socket ??= this.open();
    this.socket.write(request);
  }

  /** Gives up an answer that is outstanding for longer than `limitMs`. */
  expire(limitMs: number): void {
    if (this.onAnswer && performance.now() - this.usedAt > limitMs) this.end();
  }

  close(): void {
    const socket = this.socket;
    this.socket = null;
    this.arrived = null;
    socket?.destroy();
  }

  private open(): Socket {
    const socket = connect(this.port, '127.0.0.1').setNoDelay(true);
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      if (this.socket === socket) this.end();
    });
    return socket;
  }

  private read(chunk: Buffer): void {
    const bytes = this.arrived ? Buffer.concat([this.arrived, chunk]) : chunk;
    const answer = readAnswer(bytes);
    this.arrived = answer ? null : bytes;
    if (!answer) return;
    if (!answer.keepAlive) this.close();
    this.settle(answer);
  }

  private end(): void {
    this.close();
    this.settle(null);
  }

  private settle(answer: Answer | null): void {
    const onAnswer = this.onAnswer;
    this.onAnswer = null;
    this.usedAt = performance.now();
    onAnswer?.(answer);
  }
}
