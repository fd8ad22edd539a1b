/** Something of every worker (WORKERS) in one answer: the one that is asked asks the primary process, and that one all that serve. */

import cluster, { type Worker } from 'node:cluster'

type Message =
  | { readonly kind: 'serving' }
  /** To the primary: what all have. To a worker: what it has. */
  | { readonly kind: 'wanted', readonly id: number }
  /** To the primary: what one has. To a worker: what all have. */
  | { readonly kind: 'given', readonly id: number, readonly parts: readonly unknown[] }

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
  readonly #open = new Map<number, { readonly missing: Set<Worker>, readonly parts: unknown[], readonly answer: (parts: readonly unknown[]) => void }>()
  #asked = 0

  constructor () {
    cluster.on('message', (worker, message: unknown) => { if (isMessage(message)) this.#take(worker, message) })
    cluster.on('exit', (worker) => {
      this.#serving.delete(worker)
      for (const id of this.#open.keys()) this.#settle(id, worker)
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
    this.#open.set(id, { missing, parts: [], answer: (parts) => { tell(asking, { kind: 'given', id: theirs, parts }) } })
    for (const worker of missing) tell(worker, { kind: 'wanted', id })
  }

  #settle (id: number, worker: Worker, parts: readonly unknown[] = []): void {
    const request = this.#open.get(id)
    if (request?.missing.delete(worker) !== true) return
    request.parts.push(...parts)
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
  readonly #waiting = new Map<number, (parts: readonly unknown[]) => void>()
  readonly #listener: (message: unknown) => void
  #asked = 0

  /** @param own - what this one has, to be copied to another process */
  constructor (own: () => Promise<unknown>) {
    this.#listener = (message) => {
      if (!isMessage(message)) return
      if (message.kind === 'wanted') void own().then((part) => { send({ kind: 'given', id: message.id, parts: [part] }) })
      if (message.kind === 'given') this.#waiting.get(message.id)?.(message.parts)
    }
    process.on('message', this.#listener)
  }

  /** @returns `undefined` where one of them does not answer */
  async ask (): Promise<readonly unknown[] | undefined> {
    const id = this.#asked++
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<readonly unknown[] | undefined>((resolve) => {
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
