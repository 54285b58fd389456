import type { Assessment } from '../assessment';
import type { FlowFacts } from './flow-facts';

/** The facts behind the judgements of flow. */
export interface FlowLine {
  flow: FlowFacts;
  standard_ms?: number;
  shown?: Pick<Assessment, 'colour' | 'rule'>;
}

/** Ends a reason with the number of waiting signals and the cause of their wait; empty while nothing waits. */
export function waitingFor({ waiting, waits_for }: FlowFacts): string {
  return waiting > 0 ? `; ${waiting} wait${waits_for ? `: ${waits_for}` : ''}` : '';
}
