import { randomUUID } from 'node:crypto';
import express from 'express';

/**
 * Serves `POST /signal` like the floor does: express with its JSON parser, and 202 with the result of the handler.
 * @param port the HTTP port on 127.0.0.1
 * @param submit resolves to the result of the work `{ id, signal_type, payload }`
 */
export function serve(port, submit) {
  const app = express().disable('x-powered-by').disable('etag');
  app.post('/signal', express.json(), async (request, response) => {
    const id = randomUUID();
    const { signal_type, payload } = request.body;
    try {
      const result = await submit({ id, signal_type, payload });
      response.status(202).json({ success: true, signal_id: id, result });
    } catch (error) {
      response.status(503).json({ success: false, code: 'NO_RESULT', signal_id: id, message: error.message });
    }
  });
  app.listen(Number(port), '127.0.0.1');
}

/** Ends this process with the bench that started it, however the bench ends. */
export function endWithParent() {
  process.on('disconnect', () => process.exit(0));
}

/** The longest wait for a result, as in the floor. */
export const TIMEOUT_MS = 30_000;

/** The no-op handler, as in the fleet. */
export function handle() {
  return {};
}
