import { runService } from '@tps/service';
import { gateway } from './service';

void runService(gateway);
