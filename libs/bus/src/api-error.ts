import { JetStreamApiError } from '@nats-io/jetstream';

/** Whether JetStream failed with this `err_code`. */
export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
