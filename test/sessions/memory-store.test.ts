import t from 'tap'
import { MemoryStore } from '../../lib/sessions/memory-store.js'
import { sessionStoreContract } from './store-contract.js'

sessionStoreContract(t, 'volatile', () => Promise.resolve(new MemoryStore()))
