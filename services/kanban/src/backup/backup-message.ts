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

/** A signal from the backup. */
export interface BackupMessage {
  signal: Signal;
  trace: TraceHeaders;
  /** A gateway published it and told its client that it is accepted. */
  fromGateway: boolean;
}

/** The message is no signal; the text says why. */
export class UnreadableMessageError extends Error {
  override readonly name = 'UnreadableError';
}

/** Namespace of the ids that are derived from message names, so that no other system derives the same ones. */
const NAMESPACE = '2f9c1f0e-51b8-4d7e-8a52-0d5f3a7c6b31';
/** Twice the limit for clients, because numbers can grow when they are encoded again. */
const MAX_BYTES = 512 * 1024;

/** The shape that docs/backup.md promises to other systems. Gateways write whole signals; optional fields have defaults. */
const BackupBody = Type.Object({
  v: Type.Optional(Type.Integer({ maximum: WIRE_VERSION })),
  id: Type.Optional(Type.String()),
  run: Type.Optional(Type.Integer({ minimum: 0 })),
  signal_type: Type.String({ pattern: SIGNAL_TYPE_PATTERN }),
  priority: Type.Optional(Priority),
  payload: Type.Record(Type.String(), Type.Unknown()),
  timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_ASYNC_TIMEOUT_MS })),
  created_at: Type.Optional(Type.String({ maxLength: 40 })),
  // Workers publish to this subject, so it must be an inbox.
  reply_to: Type.Optional(Type.String({ pattern: '^_INBOX[A-Za-z0-9_.-]{1,128}$' })),
  request_hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
});

/** Parses a message; returns the error if it is no signal. */
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

/** Applies the rules of the gateway: repeated keys and numbers that a double cannot hold are refused, not changed. */
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

/** A newer gateway may write more fields, and says its version. An unknown field of any other sender is a mistake. */
function refuseUnknown(body: object): void {
  if ('v' in body) return;
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(BackupBody.properties, name));
  if (unknown !== undefined) throw new UnreadableMessageError(`/${unknown}: is not a known field`);
}

function faultOf(body: unknown): string {
  const fault = Value.Errors(BackupBody, body).First();
  return `${fault?.path || 'the body'}: ${fault?.message ?? 'is not valid'}`;
}

/** Messages with the same name are the same signal. Every message without a name is a signal of its own. */
export function idOf(name: unknown): string {
  if (typeof name !== 'string' || name === '') return uuidv4();
  return isUuid(name) ? name.toLowerCase() : uuidv5(name, NAMESPACE);
}

/** Limits the time to now, because a sender's clock that is ahead would prolong the timeout. */
function createdAt(given: string | undefined, nowMs: number): string {
  const ms = given === undefined ? nowMs : Date.parse(given);
  if (Number.isNaN(ms)) throw new UnreadableMessageError('/created_at: is no date');
  return new Date(Math.min(ms, nowMs)).toISOString();
}

/** Excludes line breaks, which would start another NATS header. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** Reads the trace context. Any other value, which AMQP allows, starts a new trace. */
function traceOf(headers: Record<string, unknown>): TraceHeaders {
  const { traceparent, tracestate } = headers;
  return {
    traceparent: typeof traceparent === 'string' ? traceparent : '',
    ...(typeof tracestate === 'string' && TRACESTATE.test(tracestate) ? { tracestate } : {}),
  };
}
