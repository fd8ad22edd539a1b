/** Scripts that make shells complete the command, from the same table as its help. */

import type { Command, Option } from 'commander'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = typeof SHELLS[number]

/** The script for a shell, to be put where the shell reads it (docs/cli.md). */
export function completion (program: Command, shell: Shell): string {
  const commands = program.commands.map(describe)
  switch (shell) {
    case 'bash': return bash(commands)
    case 'zsh': return zsh(commands)
    case 'fish': return fish(commands)
  }
}

interface Described {
  readonly name: string
  readonly description: string
  readonly options: readonly Option[]
  /** Whether its arguments are files. */
  readonly takesFiles: boolean
  /** What its argument can be, where that is known. */
  readonly choices: readonly string[]
}

const describe = (command: Command): Described => ({
  name: command.name(),
  description: command.description(),
  options: command.options,
  takesFiles: command.registeredArguments.some((argument) => argument.name() === 'paths'),
  choices: command.name() === 'completion' ? SHELLS : []
})

const FOLDERS = ['--output', '--folder']
const FILES = ['--ca', '--passphrase-file', '--send']

const namesOf = ({ short, long }: Option): readonly string[] => [short, long].filter((name) => name !== undefined)
const takes = (option: Option, names: readonly string[]): boolean => namesOf(option).some((name) => names.includes(name))

function bash (commands: readonly Described[]): string {
  const cases = commands.map(({ name, options, takesFiles, choices }) => `    ${name})
      words='${[...choices, ...options.flatMap(namesOf), '--help'].join(' ')}'
      files=${takesFiles ? 1 : 0} ;;`)
  const all = commands.flatMap(({ options }) => options)
  const pattern = (names: readonly string[]): string => [...new Set(all.filter((option) => takes(option, names)).flatMap(namesOf))].join('|')
  const free = all.filter((option) => option.required && !takes(option, [...FOLDERS, ...FILES]))
  return `_local_send() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words='' files=0
  compopt -o filenames 2>/dev/null
  case $previous in
    ${pattern(FOLDERS)}) local IFS=$'\\n'; COMPREPLY=($(compgen -d -- "$current")); return ;;
    ${pattern(FILES)}) local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${[...new Set(free.flatMap(namesOf))].join('|')}) return ;;
  esac
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W '${[...commands.map(({ name }) => name), '--help', '--version'].join(' ')}' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if (( files )) && [[ $current != -* ]]; then local IFS=$'\\n'; COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -F _local_send local-send
`
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const zshText = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&')

function zsh (commands: readonly Described[]): string {
  const option = (one: Option): readonly string[] => {
    const action = takes(one, FOLDERS) ? ':folder:_files -/' : takes(one, FILES) ? ':file:_files' : one.required ? ': :' : one.optional ? ':: :' : ''
    return namesOf(one).map((name) => quoted(`${name}[${zshText(one.description)}]${action}`))
  }
  const cases = commands.map(({ name, options, takesFiles, choices }) => {
    const rest = takesFiles ? [quoted('*:file:_files')] : choices.length > 0 ? [quoted(`1:shell:(${choices.join(' ')})`)] : []
    return `    ${name}) _arguments -S ${[...options.flatMap(option), ...rest].join(' ')} ;;`
  })
  return `#compdef local-send
_local_send() {
  local -a commands=(${commands.map(({ name, description }) => quoted(`${name}:${zshText(description)}`)).join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT -= 1 ))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _local_send ]]; then _local_send "$@"; else compdef _local_send local-send; fi
`
}

const fishText = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`

function fish (commands: readonly Described[]): string {
  const lines = ['complete -c local-send -f']
  for (const { name, description, options, takesFiles, choices } of commands) {
    lines.push(`complete -c local-send -n __fish_use_subcommand -a ${name} -d ${fishText(description)}`)
    const condition = `-n '__fish_seen_subcommand_from ${name}'`
    if (takesFiles) lines.push(`complete -c local-send ${condition} -F`)
    if (choices.length > 0) lines.push(`complete -c local-send ${condition} -a '${choices.join(' ')}'`)
    for (const option of options) lines.push(`complete -c local-send ${condition} ${fishOption(option)}`)
  }
  return `${lines.join('\n')}\n`
}

function fishOption (option: Option): string {
  const { short, long, required, description } = option
  const value = takes(option, FOLDERS) ? " -x -a '(__fish_complete_directories)'" : takes(option, FILES) ? ' -r -F' : required ? ' -x' : ''
  return `${short === undefined ? '' : `-s ${short.slice(1)} `}${long === undefined ? '' : `-l ${long.slice(2)}`}${value} -d ${fishText(description)}`
}
