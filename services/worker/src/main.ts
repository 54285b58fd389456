import { runService } from '@tps/service';
import { workerService } from '@tps/worker';
import { variables } from './config';
import { builtinSignals } from './handlers';

void runService(workerService(variables, (context) => builtinSignals(context)));
