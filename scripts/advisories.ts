/** What a registry knows against the packages that ship: `npm run advisories` asks, and this reads the answer. */

interface Advisory {
  readonly name: string
  readonly title: string
  readonly url: string
  readonly severity: string
}

/** What `npm audit --json` prints: a report, or why there is none. */
interface Answer {
  readonly vulnerabilities?: Readonly<Record<string, { readonly via: ReadonlyArray<Advisory | string>, readonly nodes: readonly string[] }>>
  readonly message?: string
}

/** Advisories that do not concern this project, with the reason. Each is known, so an answer without one is no answer. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'https://github.com/advisories/GHSA-848j-6mx2-7j84': 'elliptic signs wrongly (CVE-2025-14505); nothing here signs, test/crypto/no-signatures.test.ts'
}

/** What to print, and the exit code: 0 nothing known, 1 something known, 2 not checked. */
export interface Verdict {
  readonly lines: readonly string[]
  readonly code: 0 | 1 | 2
}

/**
 * Reads what `npm audit --json` printed. A registry that does not answer has said nothing, which is not the same as that there is
 * nothing to say.
 *
 * @param ships - whether the package in a folder is part of what ships
 */
export function judge (printed: string, ships: (folder: string) => boolean): Verdict {
  const answer = parse(printed)
  if (answer.vulnerabilities === undefined) return { lines: [`not checked: ${answer.message ?? 'npm audit printed no report'}`], code: 2 }
  // Packages that only depend on an affected one are named by a text.
  const advisories = Object.values(answer.vulnerabilities).filter(({ nodes }) => nodes.some(ships)).flatMap(({ via }) => via.filter((cause) => typeof cause !== 'string'))
  const open = advisories.filter(({ url }) => ACCEPTED[url] === undefined)
  const missing = Object.keys(ACCEPTED).filter((known) => !advisories.some(({ url }) => url === known))
  if (open.length === 0 && missing.length > 0) return { lines: [`not checked: the registry does not know of ${missing.join(' and ')}; where that was withdrawn, take it out of scripts/advisories.ts`], code: 2 }
  return {
    lines: [
      ...advisories.flatMap(({ url }) => ACCEPTED[url] === undefined ? [] : [`accepted: ${url} ${ACCEPTED[url]}`]),
      ...open.map(({ name, severity, title, url }) => `${severity}: ${name}: ${title} ${url}`),
      `checked: ${open.length} open`
    ],
    code: open.length === 0 ? 0 : 1
  }
}

function parse (printed: string): Answer {
  try {
    return JSON.parse(printed) as Answer
  } catch {
    return {}
  }
}
