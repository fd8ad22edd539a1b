/** When what is sent may go past the server (docs/cli.md), and how people are told. */

import { DirectReceiving } from '../../client/direct-receiving.js'
import { isSmall } from '../../client/pack.js'
import type { Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import { unproxiedFetch } from '../unproxied-fetch.js'
import type { Report } from '../report.js'
import { DirectListener } from './listener.js'

/** Milliseconds for which nothing may come from the sender's machine before the server is asked. */
const SILENCE = 15_000

interface Run {
  readonly member: Member
  /** Whether the command line lets it. */
  readonly direct: boolean
}

interface SendingRun extends Run {
  readonly sources: readonly Source[]
  readonly state: { readonly receivers: number, readonly maxDownloads?: number | undefined }
}

/** Listens for the one receiver. Several share what the server has, and only what comes from there is counted. */
export async function listenDirectly ({ member, sources, state, direct }: SendingRun, report: Report): Promise<DirectListener | undefined> {
  const isWanted = mayBeDirect(direct) && member.role === 'creator' && state.receivers === 1 && state.maxDownloads === undefined && sources.some((source) => source.size !== null && !isSmall(source))
  return isWanted ? await DirectListener.open(member, telling(report, 'The other side takes it from this machine.')) : undefined
}

export const receiveDirectly = ({ member, direct }: Run, report: Report): DirectReceiving | undefined =>
  mayBeDirect(direct) ? new DirectReceiving(member, unproxiedFetch({ patience: SILENCE }), telling(report, 'It comes from the other side\'s machine.')) : undefined

const mayBeDirect = (direct: boolean): boolean => direct && (process.env['LOCAL_SEND_NO_DIRECT'] ?? '') === ''

/** Says it once. */
function telling (report: Report, sentence: string): () => void {
  let told = false
  return () => {
    if (!told) report.tell({ event: 'direct' }, sentence)
    told = true
  }
}
