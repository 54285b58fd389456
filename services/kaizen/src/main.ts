import { runService } from '@tps/service';
import { kaizen } from './service';

void runService(kaizen);
