import { runService } from '@tps/service';
import { kanban } from './service';

void runService(kanban);
