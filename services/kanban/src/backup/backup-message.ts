import { isUtf8 } from 'node:buffer';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { ConsumeMessage } from '@tps/backup';
import {
  BACKUP_APP_ID,
  DEFAULT_TIMEOUT_MS,
  MAX_ASYNC_TIMEOUT_MS,
  type ParsedJson,
  parseJson,
  Priority,
  type Signal,
  SIGNAL_TYPE_PATTERN,
  WIRE_VERSION,
} from '@tps/contracts';
import type { TraceHeaders } from '@tps/telemetry';
import { v4 as uuidv4, v5 as uuidv5, validate as isUuid } from 'uuid';

/** A signal as it came over the backup. */
export interface BackupMessage {
  signal: Signal;
  trace: TraceHeaders;
  /** A gateway put it there, and told its sender that it is accepted. */
  fromGateway: boolean;
}

/** The message is no signal: why. */
export class UnreadableMessageError extends Error {
  override readonly name = 'UnreadableError';
}

/** Ids made of the names of messages are unlike those of any other system that does the same. */
const NAMESPACE = '2f9c1f0e-51b8-4d7e-8a52-0d5f3a7c6b31';
/** Twice what a client may send: numbers can grow when they are written out again. */
const MAX_BYTES = 512 * 1024;

/** docs/backup.md tells others what to put there. Gateways write whole signals; what is not required has a default. */
const BackupBody = Type.Object({
  v: Type.Optional(Type.Integer({ maximum: WIRE_VERSION })),
  id: Type.Optional(Type.String()),
  run: Type.Optional(Type.Integer({ minimum: 0 })),
  signal_type: Type.String({ pattern: SIGNAL_TYPE_PATTERN }),
  priority: Type.Optional(Priority),
  payload: Type.Record(Type.String(), Type.Unknown()),
  timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_ASYNC_TIMEOUT_MS })),
  created_at: Type.Optional(Type.String({ maxLength: 40 })),
  // Workers publish there: no other subject may be written into it.
  reply_to: Type.Optional(Type.String({ pattern: '^_INBOX[A-Za-z0-9_.-]{1,128}$' })),
  request_hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
});

/** The signal in a message, or what is wrong with it. */
export function tryParseBackupMessage(
  message: ConsumeMessage,
  nowMs: number,
): BackupMessage | UnreadableMessageError {
  try {
    return parseBackupMessage(message, nowMs);
  } catch (error) {
    if (error instanceof UnreadableMessageError) return error;
    throw error;
  }
}

/** @throws UnreadableError */
function parseBackupMessage({ content, properties }: ConsumeMessage, nowMs: number): BackupMessage {
  if (content.length > MAX_BYTES) throw new UnreadableMessageError(`more than ${MAX_BYTES} bytes`);
  const body = parse(content);
  if (!Value.Check(BackupBody, body)) throw new UnreadableMessageError(faultOf(body));
  refuseUnknown(body);
  const { signal_type, payload, reply_to, request_hash } = body;
  const signal: Signal = {
    v: WIRE_VERSION,
    id: idOf(body.id ?? properties.messageId),
    run: body.run ?? 0,
    signal_type,
    priority: body.priority ?? 3,
    payload,
    timeout_ms: body.timeout_ms ?? DEFAULT_TIMEOUT_MS,
    created_at: createdAt(body.created_at, nowMs),
    ...(reply_to ? { reply_to } : {}),
    ...(request_hash ? { request_hash } : {}),
  };
  const fromGateway = properties.appId === BACKUP_APP_ID;
  return { signal, trace: traceOf(properties.headers ?? {}), fromGateway };
}

/** Applies the gateway's rules: repeated keys and numbers that a double does not hold are refused, not changed. */
function parse(content: Buffer): unknown {
  if (!isUtf8(content)) throw new UnreadableMessageError('no UTF-8');
  const { value, faults } = parseText(content.toString('utf8'));
  const [first] = faults;
  if (first) throw new UnreadableMessageError(`${first.path || 'the body'}: ${first.message}`);
  return value;
}

function parseText(text: string): ParsedJson {
  try {
    return parseJson(text);
  } catch (error) {
    throw new UnreadableMessageError(`no JSON: ${String(error)}`);
  }
}

/** Gateways write their version, and a newer one may know more fields. From anyone else an unknown field is a mistake. */
function refuseUnknown(body: object): void {
  if ('v' in body) return;
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(BackupBody.properties, name));
  if (unknown !== undefined) throw new UnreadableMessageError(`/${unknown}: is not a known field`);
}

function faultOf(body: unknown): string {
  const fault = Value.Errors(BackupBody, body).First();
  return `${fault?.path || 'the body'}: ${fault?.message ?? 'is not valid'}`;
}

/** The same name is the same signal, however often it comes; a message without a name is a signal of its own. */
export function idOf(name: unknown): string {
  if (typeof name !== 'string' || name === '') return uuidv4();
  return isUuid(name) ? name.toLowerCase() : uuidv5(name, NAMESPACE);
}

/** A sender whose clock is ahead must not outlive its own timeout. */
function createdAt(given: string | undefined, nowMs: number): string {
  const ms = given === undefined ? nowMs : Date.parse(given);
  if (Number.isNaN(ms)) throw new UnreadableMessageError('/created_at: is no date');
  return new Date(Math.min(ms, nowMs)).toISOString();
}

/** A line break would end the NATS header that this becomes, and begin another. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** Values may be of any type AMQP has; what is no trace context starts a new trace. */
function traceOf(headers: Record<string, unknown>): TraceHeaders {
  const { traceparent, tracestate } = headers;
  return {
    traceparent: typeof traceparent === 'string' ? traceparent : '',
    ...(typeof tracestate === 'string' && TRACESTATE.test(tracestate) ? { tracestate } : {}),
  };
}
