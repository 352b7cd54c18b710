//! Accessibility of pages: axe-core checks them against WCAG 2.2 AA and good practice.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::browser::Browser;

/// Source of axe-core; `vendor/axe-core/README.md` describes its origin.
const AXE: &str = include_str!("vendor/axe-core/axe.min.js");

const RUN: &str = "
    return axe.run(document, {
        resultTypes: ['violations'],
        runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice']},
    }).then(found => ({
        rules: found.violations.length + found.passes.length,
        violations: found.violations.map(({id, impact, help, helpUrl, nodes}) => ({
            id, impact, help, help_url: helpUrl,
            elements: nodes.map(node => ({html: node.html, summary: node.failureSummary || ''})),
        })),
    }));";

#[derive(Deserialize)]
struct Report {
    rules: usize,
    violations: Vec<Violation>,
}

#[derive(Deserialize)]
struct Violation {
    id: String,
    impact: Option<String>,
    help: String,
    help_url: String,
    elements: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    html: String,
    summary: String,
}

impl Browser {
    /// Checks that a person can see, hear and reach everything; a failure lists each broken rule with
    /// its place and remedy.
    pub(crate) async fn is_accessible(&self) {
        let report = match self.execute_waiting(&format!("{AXE};\n{RUN}"), Vec::new()).await {
            Ok(report) => serde_json::from_value::<Report>(report).unwrap(),
            Err(error) => self.fail(&format!("axe-core did not run: {error}")).await,
        };
        if report.rules == 0 {
            self.fail("axe-core found nothing to judge").await;
        }
        if !report.violations.is_empty() {
            self.fail(&told(&report.violations)).await;
        }
    }
}

fn told(violations: &[Violation]) -> String {
    let mut text = "not everybody can use this page:".to_owned();
    for Violation { id, impact, help, help_url, elements } in violations {
        let _ = write!(text, "\n\n{id} ({}): {help}\n{help_url}", impact.as_deref().unwrap_or("minor"));
        for Place { html, summary } in elements {
            let _ = write!(text, "\n  {html}\n    {}", summary.replace('\n', "\n    "));
        }
    }
    text
}
