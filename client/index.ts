/**
 * The client of local-send, for Node and browsers: fetch, Web Streams and WebCrypto, nothing else. Two people use it like this:
 *
 *     const connection = { server: 'https://send.example.org' }
 *     const passphrase = generatePassphrase()
 *     const { member, verificationCode } = await createSession(connection, { password: passphrase })
 *     console.log(formatCode({ ...member, verificationCode, passphrase }))            what is said to the other one
 *     hostJoins(connection, member, { password: passphrase, state: newHostState(), onState, signal })
 *     for await (const sent of sendFiles(connection, member, [bytesSource(bytes, { name: 'a.bin' })])) …
 *
 *     const { member } = await joinSession(connection, { code })
 *     for await (const offer of listFiles(connection, member)) …
 *     for await (const piece of receiveFile(connection, member, offer)) …             verified, piece by piece
 *
 * Every function takes a signal and rejects with its reason when it fires; every other failure is a {@link ClientError}. What
 * has no function here is a method of {@link apiOf}: status, unlock, leave, close, deleteFile.
 */

export type { Bytes } from '../lib/crypto/bytes.js'
export type { SessionKind } from '../lib/crypto/spake2.js'
export type { FileId, JoinId, SessionId } from '../lib/ids.js'

export type { Attempt, AttemptStatus, Created, Limits, ListedFile, Pending, Role, SessionStatus } from './answers.js'
export { Api, type CreateRequest, type Download, type DownloadOptions, type FilePage, type UploadState } from './api.js'
export { completeWord, formatCode, generatePassphrase, linkTo, MIN_WORDS, parseCode, parseCodeOrLink, type Code, type CodeOrLink } from './code.js'
export { DirectKey, directRequest } from './direct.js'
export { DirectReceiving } from './direct-receiving.js'
export { DirectSending, type DirectRequest } from './direct-sending.js'
export { watchContact, type ContactOptions } from './contact.js'
export { ClientError, isClientError, isSessionGone, isTransient, type ClientErrorCode } from './errors.js'
export { events, type EventOptions, type JoinRefusal, type SentEvent, type SessionEvent } from './events.js'
export { hostJoins, MAX_FAILURES, type HostOptions, type Refusal } from './host.js'
export { newHostState, type Admission, type HostState } from './host-state.js'
export type { Answer, Connection, Fetch, FetchInit, Options } from './http.js'
export { joinSession, MAX_GUESSES, type Guesses, type JoinedSession, type JoinOptions, type JoinState } from './join.js'
export { MemoryJournal, type ChunkNote, type SendEntry, type SendJournal, type SendRecord } from './journal.js'
export { MultipartBody } from './multipart.js'
export { listFiles, openOffer, type DamagedOffer, type ListOptions, type Offer, type OfferedFile } from './offers.js'
export { receiveMany, isSmallOffer, type FailedFile, type ReceivedFile, type ReceiveManyOptions } from './receive-many.js'
export { confirmReceived, receiveFile, type Digest, type ReceiveOptions, type ReceiveStart } from './receive.js'
export { PATIENT, type RetryPolicy } from './retry.js'
export { sendFiles, type FailedSource, type SendOptions, type SendOutcome, type SendProgress, type SentFile } from './send.js'
export { apiOf, createSession, type CreatedSession, type CreateOptions, type Member } from './session.js'
export { blobSource, bytesSource, directorySource, streamSource, textSource, type Source } from './source.js'
