import { runService } from '@tps/service';
import { andon } from './service';

void runService(andon);
