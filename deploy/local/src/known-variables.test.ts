import { unknownVariables } from './known-variables';

test.each([
  ['TPS_KANBAN_BUFER', 'TPS_KANBAN_BUFFER'],
  ['TPS_NUM_WORKER', 'TPS_NUM_WORKERS'],
  ['TPS_REPLICAS_ANDN', 'TPS_REPLICAS_ANDON'],
  ['TPS_CB_TRESHOLD', 'TPS_CB_THRESHOLD'],
  ['TPS_RUNTIM', 'TPS_RUNTIME'],
])('%s is named with %s', (name, nearest) => {
  expect(unknownVariables({ [name]: '1' })).toEqual([
    `${name} is no variable of the fleet. The nearest one is ${nearest}.`,
  ]);
});

test.each([
  'TPS_KANBAN_BUFFER',
  'TPS_REPLICAS_KAIZEN',
  'TPS_ANDON_WEBHOOK_URL_FILE',
  'TPS_SYSTEM_SERVICE_HOST',
  'PATH',
])('%s is known, or none of ours', (name) => {
  expect(unknownVariables({ [name]: '1' })).toEqual([]);
});
