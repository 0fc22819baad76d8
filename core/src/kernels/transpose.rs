//! A matrix turned over in tiles, for products that would otherwise walk down its columns.

use super::chunks;

/// Side of a tile: one line of the cache, and few enough lines to stay in the nearest one.
const TILE: usize = 16;
/// Columns of one thread's strip. A multiple of [`TILE`].
const STRIP: usize = 4 * TILE;

type Tile = [[f32; TILE]; TILE];

/// Swaps the off-diagonal blocks of `HALF` among those of twice the size: all four sizes in turn
/// transpose a tile, and every step is a shuffle of whole vectors.
#[inline(always)]
fn swap_blocks<const HALF: usize>(tile: &mut Tile) {
    for row in (0..TILE).filter(|row| row & HALF == 0) {
        let (above, below) = (tile[row], tile[row + HALF]);
        for at in 0..TILE {
            if at & HALF == 0 {
                tile[row + HALF][at] = above[at + HALF];
            } else {
                tile[row][at] = below[at - HALF];
            }
        }
    }
}

/// Writes the columns from `first` on, as many as `out` has rows, as rows of `rows` numbers.
/// Not inlined, so that a profile can name it.
#[inline(never)]
fn strip(matrix: &[f32], [rows, stride]: [usize; 2], first: usize, out: &mut [f32]) {
    let columns = out.len() / rows;
    let [tiled_rows, tiled_columns] = [rows, columns].map(|size| size / TILE * TILE);
    for row in (0..tiled_rows).step_by(TILE) {
        for column in (0..tiled_columns).step_by(TILE) {
            let mut tile = [[0.0; TILE]; TILE];
            for (at, line) in tile.iter_mut().enumerate() {
                line.copy_from_slice(&matrix[(row + at) * stride + first + column..][..TILE]);
            }
            swap_blocks::<8>(&mut tile);
            swap_blocks::<4>(&mut tile);
            swap_blocks::<2>(&mut tile);
            swap_blocks::<1>(&mut tile);
            for (at, line) in tile.iter().enumerate() {
                out[(column + at) * rows + row..][..TILE].copy_from_slice(line);
            }
        }
    }
    for column in 0..columns {
        let tiled = if column < tiled_columns {
            tiled_rows
        } else {
            0
        };
        for row in tiled..rows {
            out[column * rows + row] = matrix[row * stride + first + column];
        }
    }
}

/// The transpose `[columns, rows]` of a matrix whose rows begin `stride` numbers apart.
pub(super) fn transposed(matrix: &[f32], [rows, columns]: [usize; 2], stride: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * columns];
    let strips = out.chunks_mut(STRIP * rows).enumerate().collect();
    chunks::all(strips, |(at, out): (usize, &mut [f32])| {
        strip(matrix, [rows, stride], at * STRIP, out);
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lands_in_its_place() {
        for (rows, columns, stride) in [(1, 1, 1), (16, 16, 16), (33, 70, 75), (5, 150, 150)] {
            let matrix: Vec<f32> = (0..rows * stride).map(|at| at as f32).collect();
            let out = transposed(&matrix, [rows, columns], stride);
            assert_eq!(out.len(), rows * columns);
            for (at, value) in out.into_iter().enumerate() {
                let (column, row) = (at / rows, at % rows);
                assert_eq!(value, (row * stride + column) as f32, "{row} {column}");
            }
        }
    }
}
