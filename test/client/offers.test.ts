import t from 'tap'
import type { ListedFile } from '../../client/answers.js'
import { listFiles, openOffer, type ListOptions, type Offer } from '../../client/offers.js'
import { sendFiles } from '../../client/send.js'
import { newContentKey } from '../../lib/crypto/keys.js'
import { sealMetadata, type Metadata } from '../../lib/crypto/metadata.js'
import { containerSize, type Writer } from '../../lib/crypto/container.js'
import { newFileId } from '../../lib/new-ids.js'
import type { Member, Role } from '../../client/session.js'
import { collect, DAY, memberOf, recorded, startPlace, watched } from './fixtures-transfer/place.js'

const contentKey = newContentKey()
const creator = memberOf('creator', contentKey)
const joiner = memberOf('joiner', contentKey)

/** A file of ten bytes as a list shows it. */
async function list (writer: Writer, uploadedBy: Role, more: Partial<Metadata> = {}, listed: Partial<ListedFile> = {}): Promise<ListedFile> {
  const fileId = newFileId()
  const metadata = await sealMetadata({ name: 'a', size: 10, type: '', modified: DAY.toISOString(), ...more }, { contentKey, fileId, writer })
  return { fileId, metadata, filename: undefined, contentType: undefined, sha256: undefined, size: containerSize(10), uploadedBy, uploadedAt: DAY.toISOString(), state: 'ready', offset: 0, received: 0, maxDownloads: undefined, expiresAt: undefined, ...listed }
}

const outcome = (offer: Offer | undefined): string => offer === undefined ? 'nothing' : 'error' in offer ? offer.error.code : `${offer.name} by ${offer.writer}`

t.test('who accepts whose files', async (t) => {
  const cases: Array<[Member, Writer, Role, ListOptions, string]> = [
    [creator, 'A', 'joiner', {}, 'a by A'],
    [creator, 'B', 'joiner', {}, 'FILE_DAMAGED'],
    [creator, 'B', 'creator', {}, 'nothing'],
    [creator, 'A', 'creator', {}, 'nothing'],
    [joiner, 'B', 'creator', {}, 'a by B'],
    [joiner, 'A', 'creator', {}, 'FILE_DAMAGED'],
    [joiner, 'A', 'joiner', {}, 'nothing'],
    [joiner, 'B', 'joiner', {}, 'nothing'],
    [joiner, 'A', 'joiner', { acceptJoiners: true }, 'a by A'],
    [joiner, 'A', 'creator', { acceptJoiners: true }, 'a by A'],
    [joiner, 'B', 'creator', { acceptJoiners: true }, 'a by B'],
    [joiner, 'S', 'creator', { acceptJoiners: true }, 'FILE_DAMAGED'],
    [creator, 'S', 'joiner', {}, 'FILE_DAMAGED']
  ]
  for (const [member, writer, uploadedBy, options, expected] of cases) {
    t.equal(outcome(await openOffer(member, await list(writer, uploadedBy), options)), expected, `${member.role} of ${writer}, said to be by the ${uploadedBy}${options.acceptJoiners === true ? ', joiners accepted' : ''}`)
  }
})

t.test('nobody accepts an id that he has written himself', async (t) => {
  const own = await list('A', 'joiner')
  const options = { acceptJoiners: true, own: new Set([own.fileId]) }
  t.equal(outcome(await openOffer(joiner, own, options)), 'nothing')
  t.equal(outcome(await openOffer(joiner, { ...own, uploadedBy: 'creator' }, options)), 'FILE_DAMAGED', 'not even as somebody else\'s')
})

t.test('what does not open, or does not fit, is reported', async (t) => {
  const file = await list('B', 'creator')
  const other = await list('B', 'creator')
  const flipped = file.metadata?.slice()
  if (flipped === undefined) throw new Error('no metadata')
  flipped[300] = (flipped[300] ?? 0) ^ 1
  t.equal(outcome(await openOffer(joiner, file)), 'a by B')
  t.equal(outcome(await openOffer(joiner, { ...file, metadata: flipped })), 'FILE_DAMAGED')
  t.equal(outcome(await openOffer(joiner, { ...file, metadata: other.metadata })), 'FILE_DAMAGED', 'that of another file')
  t.equal(outcome(await openOffer(joiner, { ...file, metadata: undefined })), 'FILE_DAMAGED')
  t.equal(outcome(await openOffer({ ...joiner, contentKey: newContentKey() }, file)), 'FILE_DAMAGED', 'under another key')
  t.equal(outcome(await openOffer(joiner, { ...file, size: containerSize(11) })), 'FILE_DAMAGED')
  t.equal(outcome(await openOffer(joiner, { ...file, size: null })), 'a by B')
  t.equal(outcome(await openOffer(joiner, await list('B', 'creator', { size: null }))), 'a by B')
  const large = await list('B', 'creator', { size: 2 ** 20 }, { size: containerSize(2 ** 20, 0x10) })
  t.equal(outcome(await openOffer(joiner, large)), 'a by B', 'in smaller chunks')
})

t.test('a list of many pages, of which one entry is damaged', async (t) => {
  const { connection, creator, joiner } = await startPlace(t)
  await collect(sendFiles(connection, creator, [...Array(1001).keys()].map((i) => recorded(Uint8Array.of(1), { name: String(i) }))))
  const damaging = {
    server: connection.server,
    fetch: async (url: string, init: RequestInit) => {
      const page = await (await fetch(url, init)).json() as { files: Array<{ metadata: string }> }
      const [first] = page.files
      if (first !== undefined && !url.includes('cursor')) first.metadata = `${first.metadata.slice(0, 400)}${first.metadata.charAt(400) === 'A' ? 'B' : 'A'}${first.metadata.slice(401)}`
      return Response.json(page)
    }
  }
  const { connection: watching, lines } = watched(connection)
  t.equal((await collect(listFiles(watching, joiner))).length, 1001)
  t.equal(lines.length, 2)
  const offers = await collect(listFiles(damaging, joiner))
  t.equal(offers.length, 1001)
  t.equal(offers.filter((offer) => 'error' in offer).length, 1)
})
