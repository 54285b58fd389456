import type { Priority } from './signal';

/** One (type, priority): it has a durable consumer of its own, so that a stopped type holds nobody up. */
export interface Lane {
  type: string;
  priority: Priority;
}

/** The name of a lane's durable consumer, and its key in maps: `<type>_<priority>`. */
export function laneName(type: string, priority: number): string {
  return `${type}_${priority}`;
}

/** The lane of a name that `laneName` made. A type may itself contain and end with `_`. */
export function parseLane(name: string): Lane {
  const at = name.lastIndexOf('_');
  return { type: name.slice(0, at), priority: Number(name.slice(at + 1)) as Priority };
}
