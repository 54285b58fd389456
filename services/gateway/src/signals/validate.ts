import Ajv, { type ErrorObject } from 'ajv';
import type { Static } from '@sinclair/typebox';
import { DEFAULT_TIMEOUT_MS, MAX_ASYNC_TIMEOUT_MS, type Priority } from '@tps/contracts';
import { AsyncSignalRequest, SignalRequest } from '../api/schemas';
import { ApiError } from '../problem';

export interface SignalInput {
  signal_type: string;
  payload: Record<string, unknown>;
  priority: Priority;
  timeout_ms: number;
}

/** One thing that is wrong with a request. `path` is a JSON pointer into the body. */
export interface Fault {
  path: string;
  message: string;
  rule: string;
}

const MAX_DEPTH = 20;
const MAX_KEYS = 1_000;
/** A body of nothing but faults is not worth a longer list. */
const MAX_FAULTS = 100;
/** Harmless here, but not in every program that merges the payload into something. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

const ajv = new Ajv({ allErrors: true });
const checkSync = ajv.compile(SignalRequest);
const checkAsync = ajv.compile(AsyncSignalRequest);

/** @throws ApiError INVALID_SIGNAL with every fault */
export function parseSignal(body: unknown, respondAsync: boolean): SignalInput {
  const shape = shapeFaults(body);
  if (shape.length > 0) throw invalidSignal(shape);
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
      return { path: pointer(path, missing), message: 'is required', rule: keyword };
    }
    if (keyword === 'additionalProperties') {
      const unknown = String((params as { additionalProperty: string }).additionalProperty);
      return { path: pointer(path, unknown), message: 'is not a known field', rule: keyword };
    }
    if (keyword === 'enum') {
      const { allowedValues } = params as { allowedValues: unknown[] };
      const allowed = allowedValues.map((value) => JSON.stringify(value)).join(', ');
      return { path, message: `must be one of ${allowed}`, rule: keyword };
    }
    // What is allowed, in words; validators that are `verbose` give the schema along.
    const { description } = (parentSchema ?? {}) as { description?: string };
    return { path, message: description ? `${message} (${description})` : message, rule: keyword };
  });
}

/** What no schema says: depth, number of keys, keys that poison prototypes, numbers that JSON cannot give back. */
export function shapeFaults(body: unknown): Fault[] {
  const faults: Fault[] = [];
  let keys = 0;
  const walk = (value: unknown, path: string[], depth: number): void => {
    if (value === Infinity || value === -Infinity) {
      faults.push({ path: pointer('', ...path), message: 'is out of range for a number', rule: 'range' });
    }
    if (typeof value !== 'object' || value === null || keys > MAX_KEYS || faults.length >= MAX_FAULTS) return;
    if (depth > MAX_DEPTH) {
      const message = `is nested deeper than ${MAX_DEPTH} levels`;
      return void faults.push({ path: pointer('', ...path), message, rule: 'depth' });
    }
    const list = Array.isArray(value);
    for (const key of list ? value.keys() : Object.keys(value)) {
      if (!list && depth > 0 && (keys += 1) > MAX_KEYS) return;
      path.push(String(key));
      if (!list && FORBIDDEN_KEYS.has(key as string)) {
        faults.push({ path: pointer('', ...path), message: 'is not allowed as a key', rule: 'key' });
      }
      walk((value as Record<string | number, unknown>)[key], path, depth + 1);
      path.pop();
    }
  };
  // The body itself is no level: what is limited is the payload.
  walk(body, [], 0);
  if (keys > MAX_KEYS)
    faults.push({ path: '/payload', message: `has more than ${MAX_KEYS} keys`, rule: 'keys' });
  return faults;
}

function pointer(base: string, ...keys: string[]): string {
  return keys.reduce((path, key) => `${path}/${key.replace(/~/g, '~0').replace(/\//g, '~1')}`, base);
}
