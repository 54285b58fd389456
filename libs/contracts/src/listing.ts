import type { ErrorClass, FinalStatus, Outcome, Priority } from './signal';

export const OPEN_STATUSES = ['queued', 'held', 'running', 'retrying'] as const;
/** Where a signal is that has no final outcome yet. */
export type OpenStatus = (typeof OPEN_STATUSES)[number];

interface Page {
  type?: string;
  /** ISO 8601: finished, or accepted, then or later. */
  since?: string;
  limit: number;
  /** As it was given by the page before. */
  cursor?: string;
}

/** gateway -> andon: signals that are finished, newest first. */
export interface FinishedRequest extends Page {
  status?: FinalStatus[];
  class?: ErrorClass;
}
export interface FinishedReply {
  /** Without results: they are in the records. */
  items: Outcome[];
  next: string | null;
}

/** gateway -> kanban: signals that are accepted and not finished, newest first. */
export interface OpenRequest extends Page {
  status?: OpenStatus[];
}
export interface OpenSignal {
  signal_id: string;
  run: number;
  signal_type: string;
  priority: Priority;
  status: OpenStatus;
  /** Attempts used up. */
  attempt: number;
  enqueued_at: string;
  timeout_ms: number;
  trace_id: string;
  worker_id?: string;
  /** Of the attempt that failed last. */
  message?: string;
}
export interface OpenReply {
  items: OpenSignal[];
  /** A page may be short, or even empty, and not be the last. */
  next: string | null;
}
export const SIGNALS_MAX_LIMIT = 200;
