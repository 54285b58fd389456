import { get } from 'node:http';
import { get as getSecurely } from 'node:https';
import { connect } from 'node:net';

/** How to probe a part. */
export type Check =
  | { readonly kind: 'http'; readonly url: string }
  /** For brokers that speak no HTTP: greets them in their own protocol. */
  | { readonly kind: 'greeting'; readonly host: string; readonly port: number; readonly say: Greeting };

type Greeting = keyof typeof GREETINGS;

export interface ProbeResult {
  /** Whether any answer came. A frozen process still accepts connections, but does not answer. */
  readonly answered: boolean;
  /** Whether it says that it can work. */
  readonly ok: boolean;
  readonly detail: string;
}

/** The greeting to send, and the beginning of the expected answer. */
const GREETINGS = {
  nats: { send: '', expect: 'INFO ' },
  amqp: { send: 'AMQP\x00\x00\x09\x01', expect: '\x01\x00\x00' },
  /** NAMES_REQ; epmd answers with its port. */
  epmd: { send: '\x00\x01n', expect: '\x00\x00' },
} as const;

export const PROBE_LIMIT_MS = 2_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export async function probe(check: Check, limitMs = PROBE_LIMIT_MS): Promise<ProbeResult> {
  return check.kind === 'http' ? probeHttp(check.url, limitMs) : probeGreeting(check, limitMs);
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends a GET. Rejects without a complete answer within the limit. */
export function httpGet(url: string, limitMs: number, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      // Without keep-alive, because an idle connection would delay a service that closes its server.
      agent: false,
      signal: AbortSignal.timeout(limitMs),
      headers,
      // The certificate of the process is for its public name, not for loopback.
      rejectUnauthorized: false,
    };
    const request = (url.startsWith('https:') ? getSecurely : get)(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) response.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    request.on('error', reject);
  });
}

async function probeHttp(url: string, limitMs: number): Promise<ProbeResult> {
  try {
    const { status, body } = await httpGet(url, limitMs);
    const ok = status === 200;
    return { answered: true, ok, detail: ok ? 'ready' : (reasonsIn(body) ?? `${url} answers ${status}`) };
  } catch {
    return { answered: false, ok: false, detail: `no answer from ${url}` };
  }
}

/** The reasons of `{ready: false, reasons: [...]}`; undefined for any other body. */
function reasonsIn(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('reasons' in parsed)) return undefined;
    const { reasons } = parsed;
    return Array.isArray(reasons) && reasons.length > 0 ? reasons.map(String).join('; ') : undefined;
  } catch {
    return undefined;
  }
}

function probeGreeting(check: Check & { kind: 'greeting' }, limitMs: number): Promise<ProbeResult> {
  const where = `${check.host}:${check.port}`;
  const { send, expect } = GREETINGS[check.say];
  return new Promise((resolve) => {
    const socket = connect(check.port, check.host);
    const end = (answered: boolean, ok: boolean, detail: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ answered, ok, detail });
    };
    const timer = setTimeout(() => end(false, false, `no answer from ${where}`), limitMs);
    socket.once('connect', () => socket.write(Buffer.from(send, 'latin1')));
    socket.once('error', (error) => end(false, false, `${where}: ${error.message}`));
    socket.once('close', () => end(false, false, `${where} closed the connection`));
    socket.once('data', (data) => {
      const ok = data.toString('latin1').startsWith(expect);
      end(true, ok, ok ? 'ready' : `${where} does not speak ${check.say.toUpperCase()}`);
    });
  });
}
