//! The plot as a picture of its own.

use super::{Run, State, Todo};
use compacter_core::figure::{Dot, Pareto};
use compacter_core::paper::GLUE;

impl State {
    /// Saves the paper's Figure 1 of the runs made here, as SVG or as pixels.
    pub fn save_figure(&mut self, dark: bool, pixels: bool) {
        let svg = self.figure().svg(dark);
        self.todo.push(match pixels {
            true => Todo::SavePicture {
                name: "compacter-runs.png".into(),
                svg,
            },
            false => Todo::Save {
                name: "compacter-runs.svg".into(),
                bytes: svg.into_bytes(),
            },
        });
    }

    fn figure(&self) -> Pareto {
        let parameters = self.sizes.parameters;
        let own = |run: &Run| {
            Some(Dot {
                name: if run.name.is_empty() {
                    run.method.clone()
                } else {
                    run.name.clone()
                },
                method: run.method.clone(),
                trainable: run.trainable as f64,
                score: run.score()?,
                bytes: run.bytes,
                ghost: false,
            })
        };
        let mut dots: Vec<Dot> = self.runs.iter().filter_map(own).collect();
        let ghosts = GLUE.rows.iter().filter(|_| self.ghosts).map(|ghost| Dot {
            name: ghost.method.into(),
            method: ghost.method.into(),
            trainable: ghost.percent / 100.0 * parameters as f64,
            score: ghost.average,
            bytes: None,
            ghost: true,
        });
        dots.extend(ghosts);
        Pareto {
            dots,
            parameters,
            majority: self.runs.iter().rev().find_map(|run| run.majority),
            score: "score on held-out rows, %".into(),
        }
    }
}
