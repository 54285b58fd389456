import type { Bus } from '@tps/bus';
import { type Handlers, typeOf } from '../api/handlers';
import { sendJson } from '../problem';
import { requestService } from '../request-service';
import type { SignalTypes } from '../signals/signal-types';

/** kanban and heijunka store a limit before they answer. */
const LIMIT_MS = 5_000;

/** Sets the limits of a type at the service that keeps them. */
export function limitHandlers(bus: Bus, types: SignalTypes): Pick<Handlers, 'setCards' | 'setRate'> {
  return {
    setCards: async (req, res, { body }) => {
      const request = { signal_type: typeOf(req), ...body };
      types.assertKnown(request.signal_type);
      sendJson(res, 200, await requestService(bus, 'cards', request, { limitMs: LIMIT_MS }));
    },
    setRate: async (req, res, { body }) => {
      const request = { signal_type: typeOf(req), ...body };
      types.assertKnown(request.signal_type);
      sendJson(res, 200, await requestService(bus, 'rate', request, { limitMs: LIMIT_MS }));
    },
  };
}
