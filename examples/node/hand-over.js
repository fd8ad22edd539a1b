/**
 * Two people and a server, with the client library: one sends a text and a file, the other receives both.
 *
 *     node examples/node/hand-over.js http://127.0.0.1:5000
 */

import {
  apiOf, bytesSource, confirmReceived, createSession, formatCode, generatePassphrase, hostJoins, joinSession, listFiles,
  newHostState, receiveFile, sendFiles, textSource
} from 'local-send/client'

const connection = { server: process.argv[2] ?? 'http://127.0.0.1:5000' }

// Alice creates a session. The passphrase stays here; the code is what she says to Bob.
const passphrase = generatePassphrase()
const { member: alice, verificationCode } = await createSession(connection, { password: passphrase })
const code = formatCode({ sessionId: alice.sessionId, verificationCode, passphrase })
console.log(`code: ${code}`)

// From now on she answers whoever tries to join. A program that may be restarted writes the state down.
const stop = new AbortController()
const hosting = hostJoins(connection, alice, {
  password: passphrase,
  state: newHostState(),
  onState: async () => {},
  onJoined: ({ verifier }) => { console.log(`alice sees the verifier ${verifier}`) },
  signal: stop.signal
})

const file = bytesSource(new Uint8Array(1_000_000).fill(7), { name: 'sevens.bin' })
for await (const outcome of sendFiles(connection, alice, [textSource('Hello, Bob.'), file])) {
  if ('error' in outcome) throw outcome.error
}

// Bob joins with what he was told, and receives.
const { member: bob, verifier } = await joinSession(connection, { code })
console.log(`bob sees the verifier ${verifier}`)
for await (const offer of listFiles(connection, bob)) {
  if ('error' in offer) throw offer.error
  let bytes = 0
  for await (const piece of receiveFile(connection, bob, offer)) bytes += piece.length
  await confirmReceived(connection, bob, [offer.fileId])
  console.log(`bob has ${offer.name}: ${bytes} bytes, all verified`)
}

stop.abort()
await hosting
await apiOf(connection, alice).close()
