/** `npm run sbom`: the bill of materials on standard output. */

import { billOfMaterials } from './sbom.js'

process.stdout.write(billOfMaterials(process.env['SOURCE_DATE_EPOCH']))
