import type { Operation } from '../operation';
import { andonOperations } from './andon';
import { deadLetterOperations } from './dead-letters';
import { documentationOperations } from './documentation';
import { fleetOperations } from './fleet';
import { signalOperations } from './signals';
import { boardOperations } from './boards';
import { typeOperations } from './types';

/** Everything the API offers, once. */
export const OPERATIONS = {
  ...signalOperations,
  ...typeOperations,
  ...deadLetterOperations,
  ...fleetOperations,
  ...boardOperations,
  ...andonOperations,
  ...documentationOperations,
};

export type OperationId = keyof typeof OPERATIONS;
export const operations = Object.entries(OPERATIONS) as [OperationId, Operation][];
