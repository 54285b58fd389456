import { LocalRuntimeError } from './errors';
import type { Env } from './settings';

const MAX_PORT = 65_535;

/** @param alternative completes the message for a variable that may also be a word */
export function readPort(env: Env, name: string, fallback: number, alternative?: string): number {
  const allowed = ['a port number from 1 to 65535', alternative].filter(Boolean).join(', ');
  return readInteger(env, name, { fallback, min: 1, max: MAX_PORT, allowed });
}

export function readCount(env: Env, name: string, fallback: number, max: number): number {
  return readInteger(env, name, { fallback, min: 0, max, allowed: `a whole number from 0 to ${max}` });
}

interface Range {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly allowed: string;
}

function readInteger(env: Env, name: string, { fallback, min, max, allowed }: Range): number {
  const text = env[name]?.trim();
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new LocalRuntimeError(`${name} is "${text}": it must be ${allowed}.`);
}
