import { JetStreamApiError } from '@nats-io/jetstream';

/** JetStream answered with this error code. */
export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
