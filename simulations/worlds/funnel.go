package worlds

import (
	"context"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

func funnel(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	e, t, f, err := runTopic(ctx, s, &s.Funnel.Topic, o)
	if err != nil {
		return err
	}
	reportHot(t, e, r, f)
	finish(r, e)
	return nil
}
