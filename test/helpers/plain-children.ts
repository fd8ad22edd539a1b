// tap has every process of Node.js that a test starts load its own instrumentation first: a second of CPU, a loader, and handlers of
// signals that end a server where it would go on. What tests start is the program as people run it.
import processOnSpawn from 'process-on-spawn'

processOnSpawn.removeAllListeners()
