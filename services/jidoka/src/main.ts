import { runService } from '@tps/service';
import { jidoka } from './service';

void runService(jidoka);
