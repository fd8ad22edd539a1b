/** Pictures that say nothing which does not stand beside them as text. */

import type { ComponentChildren } from 'preact'

function Icon ({ children }: { readonly children: ComponentChildren }) {
  return <svg class='icon' viewBox='0 0 24 24' aria-hidden='true' focusable='false'>{children}</svg>
}

export const Logo = () => (
  <svg class='logo' viewBox='0 0 512 512' aria-hidden='true' focusable='false'>
    <rect class='logo-ground' width='512' height='512' rx='112' />
    <path class='logo-lines' d='M150 222V180a106 106 0 0 1 212 0v42M118 258a36 36 0 0 1 36-36h204a36 36 0 0 1 36 36v120a36 36 0 0 1-36 36H154a36 36 0 0 1-36-36zM188 318h128M270 272l46 46-46 46' />
  </svg>
)

export const DropIcon = () => <Icon><path d='M12 3v12m0 0 4.5-4.5M12 15l-4.5-4.5M4 15v3a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3v-3' /></Icon>
export const FileIcon = () => <Icon><path d='M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zm0 0v5h5' /></Icon>
export const FolderIcon = () => <Icon><path d='M3 7a2 2 0 0 1 2-2h4l2 2.5h8a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z' /></Icon>
export const TextIcon = () => <Icon><path d='M5 6h14M5 11h14M5 16h9' /></Icon>
export const DoneIcon = () => <Icon><path d='m5 12.5 4.5 4.5L19 7.5' /></Icon>
export const WarningIcon = () => <Icon><path d='M12 4 2.8 20h18.4zM12 10v4.5m0 2.6v.4' /></Icon>
export const LockIcon = () => <Icon><path d='M7.5 11V8a4.5 4.5 0 0 1 9 0v3M6 11h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z' /></Icon>
