import Ajv, { type ErrorObject } from 'ajv';
import type { Static } from '@sinclair/typebox';
import {
  DEFAULT_TIMEOUT_MS,
  type Fault,
  jsonPointer,
  MAX_ASYNC_TIMEOUT_MS,
  MAX_FAULTS,
  type Priority,
} from '@tps/contracts';
import { AsyncSignalRequest, type SignalRequest, SyncSignalRequest } from '../api/schemas';
import { ApiError } from '../problem';

export interface SignalInput {
  signal_type: string;
  payload: Record<string, unknown>;
  priority: Priority;
  timeout_ms: number;
}

const ajv = new Ajv({ allErrors: true });
const checkSync = ajv.compile(SyncSignalRequest);
const checkAsync = ajv.compile(AsyncSignalRequest);

/** @throws ApiError INVALID_SIGNAL with every fault */
export function parseSignal(body: unknown, respondAsync: boolean): SignalInput {
  const check = respondAsync ? checkAsync : checkSync;
  if (!check(body)) throw invalidSignal(faultsOf(check.errors));
  const { signal_type, payload, priority, timeout_ms } = body as Static<typeof SignalRequest>;
  return {
    signal_type,
    payload,
    priority: priority ?? 3,
    timeout_ms: timeout_ms ?? (respondAsync ? MAX_ASYNC_TIMEOUT_MS : DEFAULT_TIMEOUT_MS),
  };
}

export function invalidSignal(errors: Fault[]): ApiError {
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const first = errors[0];
  const message = first ? `${first.path || 'the body'} ${first.message}${more}` : 'invalid';
  return new ApiError('INVALID_SIGNAL', message, { members: { errors: errors.slice(0, MAX_FAULTS) } });
}

export function faultsOf(errors: ErrorObject[] | null | undefined, root = ''): Fault[] {
  return (errors ?? []).map(({ instancePath, keyword, message = 'is not valid', params, parentSchema }) => {
    const path = root + instancePath;
    if (keyword === 'required') {
      const missing = String((params as { missingProperty: string }).missingProperty);
      return { path: path + jsonPointer([missing]), message: 'is required', rule: keyword };
    }
    if (keyword === 'additionalProperties') {
      const unknown = String((params as { additionalProperty: string }).additionalProperty);
      return { path: path + jsonPointer([unknown]), message: 'is not a known field', rule: keyword };
    }
    if (keyword === 'enum') {
      const { allowedValues } = params as { allowedValues: unknown[] };
      const allowed = allowedValues.map((value) => JSON.stringify(value)).join(', ');
      return { path, message: `must be one of ${allowed}`, rule: keyword };
    }
    // Validators that are `verbose` give the schema along, whose description says what is allowed.
    const { description } = (parentSchema ?? {}) as { description?: string };
    return { path, message: description ? `${message} (${description})` : message, rule: keyword };
  });
}
