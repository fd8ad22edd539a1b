/** Something of every worker (WORKERS) in one answer: the one that is asked asks the primary process, and that one all that serve. */

import cluster, { type Worker } from 'node:cluster'

type Message =
  | { readonly kind: 'serving' }
  /** To the primary: what all have. To a worker: what it has. */
  | { readonly kind: 'wanted', readonly id: number }
  /** To the primary: what one has. To a worker: what all have. */
  | { readonly kind: 'given', readonly id: number, readonly parts: Parts }

/** `undefined` where one of them could not tell. */
type Parts = readonly unknown[] | undefined

const isMessage = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && 'kind' in value && ['serving', 'wanted', 'given'].includes(String(value.kind))

/** Milliseconds in which every worker must answer. */
const PATIENCE = 5000

/** In a worker: says that it takes requests. */
export const tellServing = (): void => { send({ kind: 'serving' }) }

const send = (message: Message): void => { process.send?.(message) }

/** In the primary process: hands on what workers ask of each other. Whoever ends meanwhile is waited for no longer. */
export class WorkerRelay {
  readonly #serving = new Set<Worker>()
  readonly #open = new Map<number, { readonly missing: Set<Worker>, parts: Parts, readonly answer: (parts: Parts) => void }>()
  #asked = 0

  constructor () {
    cluster.on('message', (worker, message: unknown) => { if (isMessage(message)) this.#take(worker, message) })
    cluster.on('exit', (worker) => {
      this.#serving.delete(worker)
      for (const id of this.#open.keys()) this.#settle(id, worker, [])
    })
  }

  isServing (worker: Worker): boolean {
    return this.#serving.has(worker)
  }

  #take (worker: Worker, message: Message): void {
    switch (message.kind) {
      case 'serving': this.#serving.add(worker); break
      case 'given': this.#settle(message.id, worker, message.parts); break
      case 'wanted': this.#ask(worker, message.id)
    }
  }

  #ask (asking: Worker, theirs: number): void {
    const id = this.#asked++
    const missing = new Set(this.#serving)
    const answer = (parts: Parts): void => { tell(asking, { kind: 'given', id: theirs, parts }) }
    if (missing.size === 0) {
      answer(undefined)
      return
    }
    this.#open.set(id, { missing, parts: [], answer })
    // Whoever asked has given up by then.
    setTimeout(() => { this.#open.delete(id) }, 2 * PATIENCE).unref()
    for (const worker of missing) tell(worker, { kind: 'wanted', id })
  }

  #settle (id: number, worker: Worker, parts: Parts): void {
    const request = this.#open.get(id)
    if (request?.missing.delete(worker) !== true) return
    request.parts = parts === undefined || request.parts === undefined ? undefined : [...request.parts, ...parts]
    if (request.missing.size > 0) return
    this.#open.delete(id)
    request.answer(request.parts)
  }
}

function tell (worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message, () => { /* It ends, which is heard elsewhere. */ })
}

/** In a worker: what all have, itself included, in no order. */
export class Colleagues {
  readonly #waiting = new Map<number, (parts: Parts) => void>()
  readonly #listener: (message: unknown) => void
  #asked = 0

  /** @param own - what this one has, to be copied to another process */
  constructor (own: () => Promise<unknown>) {
    this.#listener = (message) => {
      if (!isMessage(message)) return
      if (message.kind === 'wanted') void own().then((part) => [part], () => undefined).then((parts) => { send({ kind: 'given', id: message.id, parts }) })
      if (message.kind === 'given') this.#waiting.get(message.id)?.(message.parts)
    }
    process.on('message', this.#listener)
  }

  /** @returns `undefined` where one of them does not answer, or cannot tell */
  async ask (): Promise<Parts> {
    const id = this.#asked++
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<Parts>((resolve) => {
        this.#waiting.set(id, resolve)
        timer = setTimeout(() => { resolve(undefined) }, PATIENCE)
        send({ kind: 'wanted', id })
      })
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  close (): void {
    process.off('message', this.#listener)
  }
}
