import t from 'tap'
import { DiskStore } from '../../lib/files/disk-store.js'
import { temporaryFolder } from '../helpers/server.js'
import { blobStoreContract } from './blob-store-contract.js'

t.test('containers on a disk', async (t) => {
  blobStoreContract(t, new DiskStore(await temporaryFolder(t)), 3 * 2 ** 20)
})
