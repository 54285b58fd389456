import { runService } from '@tps/service';
import { heijunka } from './service';

void runService(heijunka);
