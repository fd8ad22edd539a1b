/** Names as their senders gave them, on their way to becoming paths. Every one is taken as hostile (protocol local-send/1, section 5). */

import { safeFileName } from '../lib/files/names.js'

/** Folders in folders that are kept as they are; what lies deeper is put into the deepest of them. */
const MAX_DEPTH = 64

/**
 * The folders and the name that a relative path stands for, each safe on every usual system: no `..`, no root, no drive, no backslash,
 * no reserved name, no control or bidirectional character. At least one component.
 */
export function safePath (name: string): readonly [string, ...string[]] {
  const components = name.split('/').filter((component) => !/^\.{0,2}$/.test(component.trim()))
  const file = components.pop()
  return file === undefined ? [safeFileName(undefined)] : joined(components.slice(0, MAX_DEPTH).map(safeComponent), safeComponent(file))
}

// A tuple's rest stands at its end only where the compiler can see that there is a first element.
function joined ([first, ...others]: readonly string[], file: string): readonly [string, ...string[]] {
  return first === undefined ? [file] : [first, ...others, file]
}

// A backslash divides on some systems and is an ordinary character on others: here it is neither.
const safeComponent = (component: string): string => safeFileName(component.replaceAll('\\', '_'))
