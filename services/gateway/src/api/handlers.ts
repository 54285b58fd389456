import type { Request, Response } from 'express';
import type { Input } from './input';
import type { OperationId } from './operations';

export type Handler<I = { query: unknown; body: unknown }> = (
  req: Request,
  res: Response,
  input: I,
) => unknown;

/** One handler for each operation. It gets the query and body, checked by the operation's schemas. */
export type Handlers = { [Id in Exclude<OperationId, 'postSignal'>]: Handler<Input<Id>> };

/** The `{id}` of a path. Ids are written in lower case here; UUIDs mean the same in capitals. */
export function idOf(req: Request): string {
  return String(req.params.id).toLowerCase();
}

/** The `{type}` of a path. */
export function typeOf(req: Request): string {
  return String(req.params.type);
}
