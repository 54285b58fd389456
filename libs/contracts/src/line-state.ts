import type { CircuitState } from './circuit';
import { oneOf } from './fields';

const LINE_STATES = ['running', 'trial', 'no_worker', 'stopped'] as const;
/**
 * The one word for what a line does. `stopped`: by its circuit, by people or by an unanswered call. `trial`: its circuit
 * lets one signal through to see whether the line may start again. `no_worker`: nothing stops it, and nobody serves it.
 */
export type LineState = (typeof LINE_STATES)[number];
export const LineState = oneOf(LINE_STATES, {
  description:
    '`stopped` by its circuit, by people or by an unanswered call; `trial`: one signal may run; `no_worker`: nobody serves it; else `running`',
});

/** The facts that decide the word. */
export interface LineConditions {
  circuit: CircuitState;
  /** A person stopped it, or a call that nobody answered did. */
  stopped: boolean;
  /** A living worker serves the type. */
  served: boolean;
}

/** The word for a line. `stopped` wins over `no_worker`, because a new worker would not start the line. */
export function stateOfLine({ circuit, stopped, served }: LineConditions): LineState {
  if (stopped || circuit === 'Open') return 'stopped';
  if (!served) return 'no_worker';
  return circuit === 'HalfOpen' ? 'trial' : 'running';
}
