import { type Static, Type } from '@sinclair/typebox';
import { CircuitState } from '../circuit';
import { count, mapOf, text, time } from '../fields';
import { version } from '../version';

/** jidoka's view of itself: one circuit per signal type that ever had one. */
export const JidokaBoard = Type.Object(
  {
    v: version(),
    circuits: mapOf(
      Type.Object({
        state: CircuitState,
        reason: text('Why it is in this state'),
        since: time('Since when'),
        epoch: count('Grows with every trial and transition'),
        until: Type.Optional(time('No trial before this moment')),
        failed_before_until: Type.Optional(
          time('No trial of a signal that failed before, before this moment; others may be tried'),
        ),
        trace_id: Type.Optional(text('Trace that caused the last transition')),
        andon_id: Type.Optional(text('The call for a person to acknowledge or resume')),
        latched: Type.Boolean({ description: 'Only a person starts it again' }),
        stopped: Type.Boolean({ description: 'Stopped by a person, whatever the circuit says' }),
      }),
      'By signal type; `state` is that of the circuit and the people together',
    ),
  },
  { description: 'Circuits: which lines run, which are stopped' },
);
export type JidokaBoard = Static<typeof JidokaBoard>;
